// One main for both test programs.
#include <gtest/gtest.h>

#include "keel/base/environment.h"

int main(int argc, char** argv) {
  keel::restart_with_environment(argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
