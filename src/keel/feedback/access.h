// How a store is opened.
#pragma once

namespace keel::feedback {

enum class Access { create, write, read };  // create: make it when it is not there

}  // namespace keel::feedback
