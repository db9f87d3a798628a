#include "keel/base/secret.h"

#include <sodium.h>

#include <vector>

namespace keel {

std::string random_hex(size_t size) {
  std::vector<unsigned char> bytes(size);
  randombytes_buf(bytes.data(), bytes.size());
  std::string text(2 * size + 1, '\0');  // sodium ends it with a zero
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

}  // namespace keel
