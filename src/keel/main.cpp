// The whole program: every command.
#include <iostream>

#include "keel/base/environment.h"
#include "keel/commands/program.h"
#include "keel/pipeline/stages.h"
#include "keel/tensors/device.h"
#include "keel/tensors/tensor_heap.h"

int main(int argc, char** argv) {
  return keel::run_program({.name = "keel",
                            .summary = "reinforcement learning from human feedback, whole.",
                            .stages = keel::stages(),
                            .flags = {{"--devices",
                                       [] {
                                         for (const std::string& name : keel::device_names())
                                           std::cout << name << "\n";
                                       }}},
                            .prepare =
                                [](char** arguments) {
                                  // Loads libtorch again: only for what computes.
                                  keel::restart_with_environment(arguments);
                                  keel::use_tensor_heap();
                                }},
                           argc, argv);
}
