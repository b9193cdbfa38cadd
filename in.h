units metal
boundary p p p
atom_modify map array
read_data salt.data
pair_style hybrid mlcalc lj/cut 3.0
pair_coeff * * mlcalc model.mlcalc Na Cl
pair_coeff 1 2 lj/cut 0.1 2.0
run 0
