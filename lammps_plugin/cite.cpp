// SPDX-License-Identifier: GPL-2.0-only
#include "cite.h"

#include <string>

#include "lammps.h"

namespace LAMMPS_NS {

/// Declared here because citeme.h of a LAMMPS of 2026 includes a header that is not installed with it.
class CiteMe {
public:
    void add(const std::string&);
};

}  // namespace LAMMPS_NS

namespace mlcalc_lammps {

namespace {

const char text[] =
    "pair mlcalc command: SOAP [1] and LODE [2] machine-learned potentials\n\n"
    "@Article{Bartok2013,\n"
    " author = {Bart{\\'o}k, Albert P. and Kondor, Risi and Cs{\\'a}nyi, G{\\'a}bor},\n"
    " title = {On representing chemical environments},\n"
    " journal = {Phys.\\ Rev.\\ B}, year = 2013, volume = 87, pages = {184115}\n"
    "}\n\n"
    "@Article{Grisafi2019,\n"
    " author = {Grisafi, Andrea and Ceriotti, Michele},\n"
    " title = {Incorporating long-range physics in atomic-scale machine learning},\n"
    " journal = {J.\\ Chem.\\ Phys.}, year = 2019, volume = 151, pages = {204105}\n"
    "}\n\n";

}  // namespace

void cite(LAMMPS_NS::LAMMPS* lammps) {
    if (lammps->citeme != nullptr) lammps->citeme->add(text);
}

}  // namespace mlcalc_lammps
