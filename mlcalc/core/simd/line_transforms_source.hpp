// SPDX-License-Identifier: BSD-3-Clause
/// Source of the Fourier transforms, see each_set.hpp. In the work space point p of all lines of a group is two
/// vectors, real and imaginary parts. An inverse transform is a forward one with the two exchanged.

struct Complex {
    Lanes re, im;
};
inline Complex operator+(Complex a, Complex b) {
    return {a.re + b.re, a.im + b.im};
}
inline Complex operator-(Complex a, Complex b) {
    return {a.re - b.re, a.im - b.im};
}
inline Complex operator*(double s, Complex a) {
    return {s * a.re, s * a.im};
}
/// -i a
inline Complex turned(Complex a) {
    return {a.im, -a.re};
}
/// (cos - i sin) a
inline Complex rotated(const double* w, Complex a) {
    return {w[0] * a.re + w[1] * a.im, w[0] * a.im - w[1] * a.re};
}

template <int radix>
struct Butterfly;
template <>
struct Butterfly<2> {
    static inline void apply(Complex* x) {
        const Complex a = x[0];
        x[0] = a + x[1];
        x[1] = a - x[1];
    }
};
template <>
struct Butterfly<3> {
    static inline void apply(Complex* x) {
        constexpr double sine = 0.86602540378443864676;
        const Complex sum = x[1] + x[2], side = sine * turned(x[1] - x[2]), middle = x[0] - 0.5 * sum;
        x[0] = x[0] + sum;
        x[1] = middle + side;
        x[2] = middle - side;
    }
};
template <>
struct Butterfly<4> {
    static inline void apply(Complex* x) {
        const Complex a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = turned(x[1] - x[3]);
        x[0] = a + c;
        x[1] = b + d;
        x[2] = a - c;
        x[3] = b - d;
    }
};
template <>
struct Butterfly<5> {
    static inline void apply(Complex* x) {
        constexpr double c1 = 0.30901699437494742410, c2 = -0.80901699437494742410;
        constexpr double s1 = 0.95105651629515357212, s2 = 0.58778525229247312917;
        const Complex a = x[1] + x[4], b = x[2] + x[3], d = turned(x[1] - x[4]), e = turned(x[2] - x[3]);
        const Complex p = x[0] + c1 * a + c2 * b, q = x[0] + c2 * a + c1 * b;
        const Complex r = s1 * d + s2 * e, t = s2 * d - s1 * e;
        x[0] = x[0] + a + b;
        x[1] = p + r;
        x[2] = q + t;
        x[3] = q - t;
        x[4] = p - r;
    }
};

template <int radix>
void pass(const TransformPass& plan, const Complex* in, Complex* out) {
    const int m = plan.length / radix, s = plan.stride;
    for (int q = 0; q < m; ++q) {
        const double* w = plan.twiddles + 2 * (radix - 1) * q;
        for (int k = 0; k < s; ++k) {
            Complex x[radix];
            for (int t = 0; t < radix; ++t) x[t] = in[k + s * (q + m * t)];
            Butterfly<radix>::apply(x);
            Complex* to = out + k + s * radix * q;
            to[0] = x[0];
            for (int j = 1; j < radix; ++j) to[s * j] = q == 0 ? x[j] : rotated(w + 2 * (j - 1), x[j]);
        }
    }
}

/// For prime factors that have no butterfly.
void any_pass(const TransformPass& plan, const Complex* in, Complex* out) {
    const int radix = plan.radix, m = plan.length / radix, s = plan.stride;
    for (int q = 0; q < m; ++q) {
        for (int k = 0; k < s; ++k) {
            for (int j = 0; j < radix; ++j) {
                Complex sum = in[k + s * q];
                for (int t = 1; t < radix; ++t) {
                    sum = sum + rotated(plan.roots + 2 * (t * j % radix), in[k + s * (q + m * t)]);
                }
                const double* w = plan.twiddles + 2 * ((radix - 1) * q + j - 1);
                out[k + s * (radix * q + j)] = j == 0 ? sum : rotated(w, sum);
            }
        }
    }
}

#if MLCALC_LANES == 2
#define MLCALC_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2)
#define MLCALC_ODD(a, b) __builtin_shufflevector(a, b, 1, 3)
#elif MLCALC_LANES == 4
#define MLCALC_EVEN(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define MLCALC_ODD(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#else
#define MLCALC_EVEN(a, b) __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define MLCALC_ODD(a, b) __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#endif

/// Real and imaginary parts of `lanes` complex numbers in a row, in an order of lines of its own, and back.
inline Complex load_row(const double* p) {
    const Lanes a = load_unaligned(p), b = load_unaligned(p + lanes);
    return {MLCALC_EVEN(a, b), MLCALC_ODD(a, b)};
}
inline void store_row(double* p, Complex x) {
    store_unaligned(p, MLCALC_EVEN(x.re, x.im));
    store_unaligned(p + lanes, MLCALC_ODD(x.re, x.im));
}
#undef MLCALC_EVEN
#undef MLCALC_ODD

inline Complex exchanged(bool forward, Complex x) {
    return forward ? x : Complex{x.im, x.re};
}

/// A whole group of lines, or its first `count`.
inline void read_lines(const Lines& lines, int n, int count, bool forward, Complex* x) {
    int p = 0;
    if (lines.line == 2) {
        for (; p < n; ++p) x[p] = exchanged(forward, load_row(lines.data + p * lines.point));
    } else if (count == lanes && lines.point == 2) {
        for (; p + lanes / 2 <= n; p += lanes / 2) {
            Lanes columns[lanes];
            load_transposed(lines.data + 2 * p, lines.line, columns);
            for (int k = 0; k < lanes / 2; ++k) {
                x[p + k] = exchanged(forward, {columns[2 * k], columns[2 * k + 1]});
            }
        }
    }
    for (; p < n; ++p) {
        Complex z{};
        for (int l = 0; l < count; ++l) {
            z.re[l] = lines.data[l * lines.line + p * lines.point];
            z.im[l] = lines.data[l * lines.line + p * lines.point + 1];
        }
        x[p] = exchanged(forward, z);
    }
}

inline void write_lines(const Lines& lines, int n, int count, bool forward, const Complex* x) {
    int p = 0;
    if (lines.line == 2 && count == lanes) {
        for (; p < n; ++p) store_row(lines.data + p * lines.point, exchanged(forward, x[p]));
    } else if (lines.line == 2) {
        for (; p < n; ++p) {
            double row[2 * lanes];
            store_row(row, exchanged(forward, x[p]));
            for (int k = 0; k < 2 * count; ++k) lines.data[p * lines.point + k] = row[k];
        }
    } else if (count == lanes && lines.point == 2) {
        for (; p + lanes / 2 <= n; p += lanes / 2) {
            Lanes rows[lanes];
            for (int k = 0; k < lanes / 2; ++k) {
                const Complex z = exchanged(forward, x[p + k]);
                rows[2 * k] = z.re;
                rows[2 * k + 1] = z.im;
            }
            transpose(rows);
            for (int l = 0; l < lanes; ++l) store_unaligned(lines.data + l * lines.line + 2 * p, rows[l]);
        }
    }
    for (; p < n; ++p) {
        const Complex z = exchanged(forward, x[p]);
        for (int l = 0; l < count; ++l) {
            lines.data[l * lines.line + p * lines.point] = z.re[l];
            lines.data[l * lines.line + p * lines.point + 1] = z.im[l];
        }
    }
}

void transform(const TransformPlan& plan, bool forward, long n_lines, const Lines& in, const Lines& out, double* work) {
    Complex* here = reinterpret_cast<Complex*>(work);
    Complex* there = here + plan.n;
    for (long first = 0; first < n_lines; first += lanes) {
        const int count = static_cast<int>(n_lines - first < lanes ? n_lines - first : lanes);
        Lines from = in, to = out;
        from.data += first * in.line;
        to.data += first * out.line;
        read_lines(from, plan.n, count, forward, here);
        for (int k = 0; k < plan.n_passes; ++k) {
            const TransformPass& one = plan.passes[k];
            switch (one.radix) {
                case 2:
                    pass<2>(one, here, there);
                    break;
                case 3:
                    pass<3>(one, here, there);
                    break;
                case 4:
                    pass<4>(one, here, there);
                    break;
                case 5:
                    pass<5>(one, here, there);
                    break;
                default:
                    any_pass(one, here, there);
            }
            Complex* swap = here;
            here = there;
            there = swap;
        }
        write_lines(to, plan.n, count, forward, here);
    }
}

const LineTransforms kernels = {lanes, transform};
