// The values of a tensor of an adapter's file, whichever float type it has there.
#pragma once

#include "runtime/io/checkpoint_file.h"
#include "runtime/tensor.h"

namespace hearth {

// As f32. `stored`, of one or two dimensions, is one of the file's. Throws kInvalidArgument when it is not F32, F16 or
// BF16.
Tensor stored_values(const CheckpointFile& file, const CheckpointFile::Tensor& stored);

}  // namespace hearth
