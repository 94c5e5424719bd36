// An adapter worked into its base, exactly: the merged matrix is held in f32 whatever the base's format, 4 bytes a
// value (a 7B model with every linear map merged: 26 GB), since rounding it to the base's format would undo small
// updates.
#pragma once

#include "models/adapters/peft_adapter.h"
#include "runtime/adapter.h"
#include "runtime/weight.h"

namespace hearth {

// W + scale * B A, with DoRA's rows brought to their length. Holds one copy beside `weight`; to be prepared
// for the kernels by whoever puts it into a model. Merging several adapters in order is merging into the last result.
Weight merged(const Weight& weight, const LowRank& low_rank);

// The same for every linear map of a model that the adapter changes, prepared for the kernels. The model must not be in
// use.
void merge_into(ModelTensors tensors, const Adapter& adapter, ComputeDtype dtype);
// Of a PiSSA adapter what it takes from the base too. Its saved tensors are left to the caller.
void merge_into(ModelTensors tensors, const PeftAdapter& peft, ComputeDtype dtype);

}  // namespace hearth
