// What the Qwen families share beside a llama's layer.
#pragma once

namespace hearth {

class ConfigReader;
struct ModelConfig;

// sliding_window counts only with use_sliding_window. (In transformers it then binds the layers from max_window_layers
// on; within the window all are alike.)
void read_qwen_window(const ConfigReader& json, ModelConfig& config);

}  // namespace hearth
