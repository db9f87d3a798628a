// `keel label`, as far as it needs no torch: what both programs' command has in common, and keel-label's own.
#pragma once

#include <cstdint>
#include <string>

#include "keel/commands/stage.h"
#include "keel/feedback/certificate.h"
#include "keel/feedback/store.h"
#include "keel/server/label_hooks.h"

namespace keel {

struct ServeOptions : Options {
  std::string store, annotator = "reader", host = "127.0.0.1", behind_proxy;
  bool accounts = false;
  double qualification = 0.8, confidence = 0.95;
  feedback::Rivals until;
  int64_t port = 8080, simulated = 0, stop_when_left = -1, seed = 1;

  void visit(OptionVisitor& v) override;
  void check() const override;
};

/// Serves the pages until the program is interrupted, no more than `stop_when_left` tasks want an answer, or
/// it is decided whether `until.better` is better than `until.than` (certificate.h). With accounts on a store
/// that has none, prints an invite for the first lead. Errors: those of LabelServer.
void serve_labels(feedback::Store& store, const ServeOptions& o, LabelHooks hooks, int64_t trained_event);

/// The command of keel-label: without a reward model to agree with or to train.
Stage label_stage();

}  // namespace keel
