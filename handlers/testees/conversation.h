// Testees that are spoken with over a network, as extensions are.
#pragma once

namespace testees {

// Listens at 127.0.0.1:TESTEE_PORT, prints "listening", and then each line that it is sent, one
// connection after the other. It answers each with "heard".
int listens();

// The same, but accepts nothing, and its queue holds one connection.
int listens_without_accepting();

// Sends the datagram "hello" to TESTEE_TARGET, ADDRESS:PORT, and prints "sent".
int sends_datagram();

// Prints "up" and waits. Having been sent SIGTERM, prints "asked to end" and exits with
// TESTEE_EXIT_CODE.
int ends_when_asked();

}  // namespace testees
