"""Processors that code is made for.

named_targets  by the names that people use
llvm_triples   by LLVM's triples
target_facts   what is known of one
target_probe   what LLVM knows of it, by what it makes of a few lines
"""
