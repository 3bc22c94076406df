// Which object a descriptor stands for.
#include "client/session_link.h"

#include <sys/stat.h>

namespace ovenbird::client {

Result<ObjectId> id_of(const FileDescriptor& descriptor) {
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) {
    return fail(Code::kIo, "open session: its record cannot be looked at");
  }
  return ObjectId{.device = status.st_dev, .number = status.st_ino};
}

}  // namespace ovenbird::client
