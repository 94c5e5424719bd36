// A tensor that is trained in full has three forms: frozen in the model, f32 as it is trained ([out, in]), and as the
// checkpoint has it (GPT-2's matrices [in, out], Gemma's norms without the 1).
#pragma once

#include "models/adapters/adapter_config.h"
#include "runtime/model_tensor.h"

namespace hearth {

Shape shape_of(const ModelTensor& tensor);                                     // [out, in] or [n]
Tensor frozen_values(const ModelTensor& tensor);                               // f32 as it is trained
bool lies_transposed(const AdapterConfig& config, const ModelTensor& tensor);  // in the checkpoint
Tensor from_checkpoint(const AdapterConfig& config, const ModelTensor& tensor, const Tensor& values);
Tensor to_checkpoint(const AdapterConfig& config, const ModelTensor& tensor, const Tensor& values);

}  // namespace hearth
