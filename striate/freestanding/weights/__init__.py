"""Weights stored in fewer bits than they are multiplied in.

rounded_weights  as bfloat16 and int8, in arrays
small_weights    a plan's steps that read weights in so few bits
weight_origins   which parameter each number of a plan's constants is
weight_reads     which weights steps multiply by, and add up together
"""
