"""What a network sees: which pixels each unit reads, which nobody reads, and which count.

    reach(network)                     fields and exact pixels of every unit, through branches
    ledger(network)                    rows and columns that no output reads, and cures
    connectivity(network)              weights and connections against a dense layer's
    effective_field(network, images)   which of the pixels that a unit sees move it
    effective_fields(network, images)  the same for the central units of all layers
    shifts(network, images)            equivariance and invariance of every layer, measured
    altered_stroke(digits)             what survives of edges when a digit is changed a little

Each returns data that prints as a table and has `to_dict`.
"""

from striate.inspect.connections import Connections, Connectivity, connectivity
from striate.inspect.effective import (
    Effective,
    EffectiveField,
    effective_field,
    effective_fields,
)
from striate.inspect.ledger import Change, Cure, LayerLedger, Ledger, Unread, ledger
from striate.inspect.reach import Box, LayerReach, NetworkReach, reach
from striate.inspect.shifts import LayerShifts, Shift, Shifts, shifts
from striate.inspect.strokes import AlteredStroke, Survival, altered_stroke

__all__ = [
    "AlteredStroke",
    "Box",
    "Change",
    "Connections",
    "Connectivity",
    "Cure",
    "Effective",
    "EffectiveField",
    "LayerLedger",
    "LayerReach",
    "LayerShifts",
    "Ledger",
    "NetworkReach",
    "Shift",
    "Shifts",
    "Survival",
    "Unread",
    "altered_stroke",
    "connectivity",
    "effective_field",
    "effective_fields",
    "ledger",
    "reach",
    "shifts",
]
