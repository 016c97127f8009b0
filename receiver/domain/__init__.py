"""Pure decisions of the receiver: values in, values or typed errors out; no I/O, no clock, no chance."""
