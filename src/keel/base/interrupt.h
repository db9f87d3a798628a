// Ctrl-C asks a stage to stop at its next safe point; a second one ends the program at once.
#pragma once

#include <stdexcept>

namespace keel {

/// Thrown at a safe point after SIGINT or SIGTERM. The program exits with 1 and says how to go on.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted: run the same command again to go on") {}
};

void install_interrupt_handler();
bool interrupt_requested();

/// Throws Interrupted when a stop was asked for.
void throw_if_interrupted();

}  // namespace keel
