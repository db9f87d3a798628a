// The beta distribution: what is known of a probability after so many successes and failures. The continued
// fraction of the incomplete beta function is DLMF 8.17.22, summed by Lentz's method (Thompson and Barnett
// 1986, "Coulomb and Bessel Functions of Complex Arguments and Order").
#pragma once

#include "keel/statistics/intervals.h"

namespace keel {

/// ln B(a, b), a and b above 0.
double log_beta(double a, double b);

/// The probability of at most x under Beta(a, b): the regularised incomplete beta function.
double beta_probability(double a, double b, double x);

/// The x that this probability belongs to.
double beta_quantile(double a, double b, double probability);

/// The middle part of Beta(a, b) that holds a share `confidence`.
Interval beta_interval(double a, double b, double confidence = 0.95);

}  // namespace keel
