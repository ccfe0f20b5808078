"""The embedded spam filter: learns from messages that people sorted, needs no server, and can say why it thinks so."""
