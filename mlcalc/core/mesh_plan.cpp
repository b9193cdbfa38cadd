// SPDX-License-Identifier: BSD-3-Clause
#include "mesh_plan.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "ksum.hpp"
#include "lattice.hpp"
#include "mesh.hpp"
#include "mesh_kernels.hpp"
#include "smeared_power.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
/// Integers are kept while the cell drifts; a cell that grows by this factor still meets the accuracy.
constexpr double drift_margin = 1.04;
/// Largest wave number of the tables that a list may use, so that a compressed cell stays inside.
constexpr double table_margin = 0.9;
constexpr int max_order = 12;
/// Melts and water show up to this multiple of `mesh_error`, benchmarks/validation/far_field_accuracy.py.
constexpr double mesh_safety = 4.0;

/// Spectrum of each coefficient for independent atoms, in the forces: (g_p F_nl k^(l+1))^2.
class Spectrum {
public:
    explicit Spectrum(const PotentialDescription& d)
        : table_(&d.reciprocal), power_(d.exponent, d.smearing), n_max_(static_cast<std::size_t>(d.n_max)) {}

    std::size_t size() const { return table_->n_functions; }
    std::size_t l(std::size_t f) const { return f / n_max_; }
    /// (g_p F_nl)^2
    void evaluate(double k, std::vector<double>& out) const {
        out.assign(size(), 0.0);
        if (k > table_->x_max() || k <= 0.0) return;
        double g, dg;
        power_.evaluate(k, g, dg);
        scratch_.resize(size());
        table_->evaluate(k, out.data(), scratch_.data());
        for (double& value : out) value = g * g * value * value;
    }

private:
    const SplineTable* table_;
    SmearedPower power_;
    std::size_t n_max_;
    mutable std::vector<double> scratch_;
};

/// int k^2 (g F k^(l+1))^2 dk of every coefficient, from k on, at the steps k = i dk.
std::vector<std::vector<double>> tails(const PotentialDescription& d, int n_steps, double dk) {
    const Spectrum spectrum(d);
    std::vector<std::vector<double>> out(static_cast<std::size_t>(n_steps) + 1,
                                         std::vector<double>(spectrum.size(), 0.0));
    std::vector<double> t;
    for (int step = n_steps - 1; step >= 0; --step) {
        const double k = (step + 0.5) * dk;
        spectrum.evaluate(k, t);
        for (std::size_t f = 0; f < t.size(); ++f) {
            const double term = t[f] * std::pow(k, 2.0 * static_cast<double>(spectrum.l(f)) + 4.0) * dk;
            out[static_cast<std::size_t>(step)][f] = out[static_cast<std::size_t>(step) + 1][f] + term;
        }
    }
    return out;
}

/// sum over the aliases of an interlaced mesh of (U(k_m) / U(k))^2 |k_m / k_Nyquist|^(2l+2), per l, for nu = k / k_mesh
void alias_sums(int order, const std::array<double, 3>& nu, std::size_t n_l, std::vector<double>& gathered,
                double& spread) {
    gathered.assign(n_l, 0.0);
    spread = 0.0;
    for (int m1 = -2; m1 <= 2; ++m1) {
        for (int m2 = -2; m2 <= 2; ++m2) {
            for (int m3 = -2; m3 <= 2; ++m3) {
                if ((m1 + m2 + m3) % 2 != 0 || (m1 == 0 && m2 == 0 && m3 == 0)) continue;
                const double x = nu[0] + m1, y = nu[1] + m2, z = nu[2] + m3;
                const double ratio = nu[0] * nu[1] * nu[2] / (x * y * z);
                const double weight = std::pow(ratio * ratio, order);
                const double k2 = 4.0 * (x * x + y * y + z * z);
                spread += weight;
                double power = weight;
                for (std::size_t l = 0; l < n_l; ++l) gathered[l] += power *= k2;
            }
        }
    }
}

}  // namespace

double mesh_error(const PotentialDescription& d, int order, double spacing) {
    const Spectrum spectrum(d);
    const std::size_t n_l = static_cast<std::size_t>(d.l_max) + 1;
    const int n = 6, n_steps = 300;  // midpoints per axis from 0 to the Nyquist frequency
    const double nyquist = pi / spacing, dk = d.reciprocal.x_max() / n_steps, volume = std::pow(nyquist / n, 3);
    const std::vector<std::vector<double>> tail = tails(d, n_steps, dk);
    std::vector<double> wrong(spectrum.size(), 0.0), t, gathered;
    for (int i = 0; i < 8 * n * n * n; ++i) {
        const int ix = i / (4 * n * n), iy = i / (2 * n) % (2 * n), iz = i % (2 * n);
        const std::array<double, 3> nu{0.5 * (ix + 0.5) / n, 0.5 * (iy + 0.5) / n, 0.5 * (iz + 0.5) / n};
        const double k = 2.0 * nyquist * std::hypot(nu[0], nu[1], nu[2]);
        const bool inside = ix < n && iy < n && iz < n;
        double spread = 1.0;  // beyond the mesh everything is missing
        gathered.assign(n_l, 0.0);
        if (inside) alias_sums(order, nu, n_l, gathered, spread);
        spectrum.evaluate(k, t);
        for (std::size_t f = 0; f < t.size(); ++f) {
            const double exponent = 2.0 * static_cast<double>(spectrum.l(f)) + 2.0;
            wrong[f] += t[f] * volume *
                        (std::pow(nyquist, exponent) * gathered[spectrum.l(f)] + std::pow(k, exponent) * spread);
        }
    }
    double error = 0.0;
    for (std::size_t f = 0; f < spectrum.size(); ++f) {
        error += wrong[f] / (0.5 * pi * tail[0][f]) / static_cast<double>(spectrum.size());
    }
    return std::sqrt(error);
}

double converged_cutoff(const PotentialDescription& d, double accuracy) {
    const int n_steps = 600;
    const double dk = d.reciprocal.x_max() / n_steps, safety = 0.6;
    const std::vector<std::vector<double>> tail = tails(d, n_steps, dk);
    for (std::size_t step = static_cast<std::size_t>(n_steps); step-- > 0;) {
        double error = 0.0;
        for (std::size_t f = 0; f < tail[0].size(); ++f) error += tail[step][f] / tail[0][f];
        if (std::sqrt(error / static_cast<double>(tail[0].size())) > safety * accuracy) {
            return static_cast<double>(step + 1) * dk;
        }
    }
    return dk;
}

namespace {

int smooth_integer(int at_least) {
    for (int m = std::max(at_least, 2);; ++m) {
        int rest = m;
        for (int factor : {2, 3, 5}) {
            while (rest % factor == 0) rest /= factor;
        }
        if (rest == 1) return m;
    }
}

/// The widest spacing with which splines of this order meet the accuracy, and what it costs per unit volume and atom
/// relative to other orders: the transforms, and the stencils.
double widest_spacing(const PotentialDescription& d, int order, double accuracy) {
    double low = 0.02 * d.smearing, high = 3.0 * d.smearing;
    if (mesh_error(d, order, low) > accuracy) return 0.0;
    for (int step = 0; step < 9; ++step) {
        const double middle = std::sqrt(low * high);
        (mesh_error(d, order, middle) > accuracy ? high : low) = middle;
    }
    return low;
}

Mesh::Settings plan_mesh(const PotentialDescription& d, const FarFieldOptions& options, const Lattice& lattice,
                         double n_atoms) {
    Mesh::Settings settings;
    settings.accuracy = options.accuracy;
    const bool given = options.mesh[0] > 0 && options.mesh[1] > 0 && options.mesh[2] > 0;
    const int least = std::max(4, d.l_max + 4);
    settings.order = options.order;
    double spacing = 0.0;
    if (given) {
        settings.shape = options.mesh;
        if (settings.order == 0) settings.order = std::min(least + 2, max_order);
    } else {
        double best = 0.0;
        for (int order = least; order <= std::min(least + 4, max_order); ++order) {
            if (options.order != 0 && order != least) break;
            const int tried = options.order != 0 ? options.order : order;
            const double h = widest_spacing(d, tried, options.accuracy / mesh_safety);
            if (h == 0.0) continue;
            const double points = lattice.volume / (std::max(n_atoms, 1.0) * h * h * h);
            const double cost = 0.14 * points + 0.02 * tried * tried;
            if (best == 0.0 || cost < best) {
                best = cost;
                spacing = h;
                settings.order = tried;
            }
        }
        if (best == 0.0) {
            throw std::invalid_argument("no mesh reaches the accuracy " + std::to_string(options.accuracy) +
                                        " for this expansion; ask for a lower one or use the k-sum");
        }
        spacing /= drift_margin;
    }
    double worst = 0.0, n_points = 1.0;
    for (int a = 0; a < 3; ++a) {
        const auto axis = static_cast<std::size_t>(a);
        const double wanted = given ? 0.0 : std::ceil(lattice.length(a) / spacing);
        if (wanted > 1e6) throw std::invalid_argument("the mesh would have more than 10^6 points along one axis");
        if (!given) settings.shape[axis] = smooth_integer(static_cast<int>(wanted));
        worst = std::max(worst, lattice.length(a) / settings.shape[axis]);
        n_points *= settings.shape[axis];
    }
    const double n_filters = static_cast<double>(std::max(d.filters.n_functions, std::size_t{0}));
    const double filters = n_filters > 0.0 ? n_filters : static_cast<double>(d.reciprocal.n_functions);
    const double grids = 2.0 * d.n_channels() + 2.0 + 3.0;
    const double bytes = n_points * (16.0 * grids + 16.0 * filters) + n_atoms * 8.0 * 60.0 * filters * d.n_channels();
    if (bytes > static_cast<double>(options.memory_limit)) {
        const auto text = [](double x) { return std::to_string(static_cast<long long>(x)); };
        throw std::invalid_argument("smearing " + std::to_string(d.smearing) +
                                    " Angstrom at this accuracy needs a mesh of " + text(settings.shape[0]) + " x " +
                                    text(settings.shape[1]) + " x " + text(settings.shape[2]) + " points, about " +
                                    text(bytes / 1048576.0) + " MiB, more than the memory limit of " +
                                    text(static_cast<double>(options.memory_limit) / 1048576.0) +
                                    " MiB; use a larger smearing, a lower accuracy or a higher limit");
    }
    settings.estimate = mesh_safety * mesh_error(d, settings.order, worst);
    return settings;
}

std::unique_ptr<FarField> make_ksum(const PotentialDescription& description, const FarFieldOptions& options,
                                    const Mat3& cell, double n_atoms, Communicator& communicator) {
    const double limit = table_margin * description.reciprocal.x_max();
    double cutoff = options.k_cutoff;
    if (cutoff > limit) {
        throw std::invalid_argument("k_cutoff must be at most " + std::to_string(limit) +
                                    " / Angstrom for this smearing, got " + std::to_string(cutoff));
    }
    if (cutoff <= 0.0) cutoff = std::min(limit, drift_margin * converged_cutoff(description, options.accuracy));
    const double volume = Lattice(cell).volume, n_k = volume * std::pow(cutoff, 3) / (12.0 * pi * pi);
    const CoefficientShape shape = description.shape();
    const double per_k = 8.0 * shape.n_lm() + 4.0 * shape.n_channels + 4.0 * shape.n_max * (shape.l_max + 1);
    const double bytes = 8.0 * n_k * per_k + n_atoms * shape.n_lm() * shape.n_q() * 16.0;
    if (bytes > static_cast<double>(options.memory_limit)) {
        throw std::invalid_argument("the k-sum would need " + std::to_string(static_cast<long long>(n_k)) +
                                    " wave vectors and " + std::to_string(static_cast<long long>(bytes / 1048576.0)) +
                                    " MiB, more than the memory limit; use the mesh, a larger smearing, a lower "
                                    "accuracy or a higher limit");
    }
    return std::make_unique<KSum>(description, cutoff, cell, communicator);
}

/// Microseconds, from benchmarks/far_field.py: the k-sum costs its multiplications, the mesh a constant per atom and
/// some overhead. The mesh has to be twice as fast: the k-sum conserves momentum to rounding.
bool mesh_is_faster(const PotentialDescription& d, const FarFieldOptions& options, const Lattice& lattice,
                    double n_atoms) {
    const CoefficientShape shape = d.shape();
    const double cutoff = drift_margin * converged_cutoff(d, options.accuracy);
    const double n_k = lattice.volume * std::pow(cutoff, 3) / (12.0 * pi * pi);
    const double ksum = n_atoms * n_k * (10.0 + 0.27 * shape.n_lm() * shape.n_q()) * 1e-3;
    const double n_filters =
        static_cast<double>(d.filters.n_functions > 0 ? d.filters.n_functions : d.reciprocal.n_functions);
    const double mesh = 1500.0 + n_atoms * (2.0 + 6.0 * n_filters * ((shape.n_channels + 1) / 2));
    return ksum > 2.0 * mesh;
}

}  // namespace

std::unique_ptr<FarField> make_periodic(const PotentialDescription& description, const FarFieldOptions& options,
                                        const Mat3& cell, double n_atoms, Communicator& communicator,
                                        MeshBackendFactory& factory) {
    const Lattice lattice(cell);
    const bool possible = description.l_max + 1 <= max_mesh_degree;
    const bool wanted = options.method == FarFieldMethod::mesh ||
                        (options.method == FarFieldMethod::automatic && options.k_cutoff <= 0.0 && possible &&
                         mesh_is_faster(description, options, lattice, n_atoms));
    if (!wanted) return make_ksum(description, options, cell, n_atoms, communicator);
    if (description.l_max + 1 > max_mesh_degree) {
        throw std::invalid_argument("the mesh serves l_max up to " + std::to_string(max_mesh_degree - 1) + ", got " +
                                    std::to_string(description.l_max) + "; use the k-sum");
    }
    return std::make_unique<Mesh>(description, plan_mesh(description, options, lattice, n_atoms), communicator,
                                  factory);
}

}  // namespace mlcalc
