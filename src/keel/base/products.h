// How much a stage multiplies: floating-point operations of matrix products, counted where they are asked for
// (a multiplication and an addition are two). What is computed again on the way back (--recompute) is not
// counted: the share of the machine's rate is that of useful work ("model FLOPs"; Chowdhery et al. 2022,
// appendix B).
#pragma once

namespace keel {

/// Adds products of so many operations to the program's count. Any thread.
void count_products(double operations);
/// All that were counted since the program began.
double products_counted();

}  // namespace keel
