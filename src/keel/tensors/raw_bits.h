// How tensors' elements reach the row kernels, which know bfloat16 by its bits.
#pragma once

#include <c10/util/BFloat16.h>

#include "keel/tensors/row_kernels.h"

namespace keel {

template <class T>
struct RawOf {
  using Type = T;
};
template <>
struct RawOf<c10::BFloat16> {
  using Type = uint16_t;
};
template <class T>
using Raw = typename RawOf<T>::Type;

template <class T>
const Raw<T>* bits(const T* x) {
  return reinterpret_cast<const Raw<T>*>(x);
}
template <class T>
Raw<T>* bits(T* x) {
  return reinterpret_cast<Raw<T>*>(x);
}

/// The row kernels for elements of T.
template <class T>
const RowKernelsOf<Raw<T>>& kernels() {
  return row_kernels().of(Raw<T>());
}

}  // namespace keel
