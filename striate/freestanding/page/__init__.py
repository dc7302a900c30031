"""Networks as one page that classifies.

page_export  the file
page_texts   what it says of the network
web          its scripts, style and template
"""
