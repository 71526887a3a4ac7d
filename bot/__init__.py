"""Tocsin: write one line in chat, and it rings.

The house, from the ground up; a name imports only from storeys below its own:

    delays                      how long rings took
    metrics, pacing, gauges     what can be measured; when a message may go; what operators see counted
    duties                      what processes divide among them, and who should do what
    vigil                       whether the bot's organs are well, and what of that is told
    rules                       the alert language: text <-> tree
    engine                      observations -> transitions: series, truth, step(), the threshold index
    alerts                      what people own, and how it is worded
    backtest, entries           the live engine, fed with history; what a setting may say
    ports                       the sockets between the rooms: Feed, Market, Tape, Store, Chat, Clock
    looking, bell               the present of several series at once; what ends a rest
    balance, charge             what a process takes and lets go; what its house does by that
    illustrate, reports         the candles of a message's chart, asked for once; the facts of a report
    composing, turns, hanging   what a message says; the line in which it waits; the chart that it gets later
    teller                      the facts of what a batch brought
    watch, deliver, agenda, commands   the ways of the data: judge, send, by the clock, what people may say
    afterwards                  what the price did after each ring, written down when it is over
    feeds, store, chats, web, settings, logs, tape, shelf   the world outside, one folder or file a kind
    collector                   when memory is looked through for what is garbage
    clock, codec                the machine's clock; values as words that one process says to another
    organs, heartbeat           how each organ is now; the sign of life to whoever watches from outside
    shift                       the times at which a process works, where several share a memory
    rhythm, looks               what is done again and again; when feeds are asked
    colleagues                  what processes tell each other, beside what is seen and what is kept
    parts, house                each part by the settings; the running parts, from first to last
    app, demo, doctor           the one builder, the demonstration, what examines a deployment
    terminal, upkeep, __main__  the command line
"""
