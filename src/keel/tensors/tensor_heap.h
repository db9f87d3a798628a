// Large tensors on the processor take their memory from base/chunk_heap. Measured: see there.
#pragma once

namespace keel {

/// From now on every new tensor on the processor of 8 MiB and more lies in a ChunkHeap of this program;
/// smaller ones where libtorch puts them. For the program's start; a second call changes nothing.
void use_tensor_heap();

}  // namespace keel
