"""One step of an optimiser over all parameters, compiled.

update_rules     the formulas, as what is stored for each number
update_stages    how these run over the memory of the parameters, and where norms are summed
optimizer_step   the program of one network's buffers
"""
