"""What is measured beside prices: flows of funds, derivatives, macro, supply, mood, an operator's own values.

providers     one file a provider, and the one table of them
provider      what each of those files implements
board         all that are asked here, and what the others lack
metric_feed   one provider as a Feed: asked when it wants to be, left alone where it fails
hearsay       what is told of them where another process looks         pure
notes         what a provider must not forget when the program starts again
parts         a provider of several kinds of series
http          the one door of HTTP to them
figures       numbers and days as they write them                     pure
html_table    tables of web pages as rows of text                     pure
files         history from files
flows         flows of funds, from a table of days
finality      when a day's flow is final                              pure
hours         when to look for flows                                  pure
wall_street   the hours of New York's markets                         pure
contracts     what exchanges say of perpetuals and dated futures
liquidations  of a coin or of all, over a window                      pure
balances      stablecoins on exchanges
"""
