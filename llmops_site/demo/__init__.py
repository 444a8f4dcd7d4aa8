"""The demo workspace: Papermoon, a shop for paper goods and pens, with ninety days behind it."""
