"""Inspects a network: receptive fields, unread pixels, connections, equivariance to shifts.

    reach(network)                     receptive field and exact pixels of every unit
    ledger(network)                    rows and columns that no output reads, and cures
    connectivity(network)              weights and connections, compared with a dense layer
    effective_field(network, images)   the effective receptive field of a unit, from gradients
    effective_fields(network, images)  the same for the central units of all layers
    shifts(network, images)            equivariance and invariance of every layer, measured
    altered_stroke(digits)             how many edges survive a small change of a digit
    altered_two()                      the same with a "2" that is drawn

Each returns data that prints as a table and has `to_dict`. A *unit* is one value of a layer's
output. Reading order:

    dependency_masks            from units back to the pixels that they depend on
    field_propagation           receptive fields forward, layer by layer
    receptive_fields            `reach`
    unread_pixels               `ledger`
    connections                 `connectivity`
    values                      the values of all layers for some images, and gradients
    effective_receptive_fields  `effective_field` and `effective_fields`
    equivariance                `shifts`
    drawn_two                   a "2" as a pen draws it
    stroke_experiment           `altered_stroke` and `altered_two`
    drawings                    figures of effective fields
    stroke_drawing              the figure of the stroke experiment
    summary                     `Network.summary`
"""

from striate.inspect.connections import Connections, Connectivity, connectivity
from striate.inspect.drawn_two import drawn_two
from striate.inspect.effective_receptive_fields import (
    Effective,
    EffectiveField,
    effective_field,
    effective_fields,
)
from striate.inspect.equivariance import LayerShifts, Shift, Shifts, shifts
from striate.inspect.receptive_fields import Box, LayerReach, NetworkReach, reach
from striate.inspect.stroke_experiment import (
    AlteredStroke,
    KeptBar,
    Survival,
    altered_stroke,
    altered_two,
)
from striate.inspect.unread_pixels import Change, Cure, LayerLedger, Ledger, Unread, ledger

__all__ = [
    "AlteredStroke",
    "Box",
    "Change",
    "Connections",
    "Connectivity",
    "Cure",
    "Effective",
    "EffectiveField",
    "KeptBar",
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
    "altered_two",
    "connectivity",
    "drawn_two",
    "effective_field",
    "effective_fields",
    "ledger",
    "reach",
    "shifts",
]
