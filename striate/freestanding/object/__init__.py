"""Networks as object files for a linker.

object_export         the files
undefined_symbols     what they want from elsewhere
stack_frames          how much stack a run takes
counted_instructions  how many instructions, where that matters
memory_limits         what a chip has no room for
"""
