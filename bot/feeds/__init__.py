"""The world outside, as observations: raw data never leaves these rooms.

exchanges   prices, through ccxt, on public endpoints without a key
metrics     what is measured beside prices, a provider each

faults      what goes wrong, and how long to leave a source alone   pure
spending    what was spent of an allowance lately                   pure
gateway     addresses, sent through a gateway                       pure
thread      the thread of ccxt, apart from the chats' loop
"""
