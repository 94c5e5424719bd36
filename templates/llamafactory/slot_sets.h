// The slots that several templates share. A template that is alone with its slots has them in its row (registry.cpp).
#pragma once

#include "templates/llamafactory/slots.h"

namespace hearth::slot_sets {

inline constexpr SlotSet kChatml = {.system = "<|im_start|>system\n{{content}}<|im_end|>\n",
                                    .user = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
                                    .assistant = "{{content}}<|im_end|>\n",
                                    .observation = "<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n"};
inline constexpr SlotSet kChatmlBos = {
    .prefix = {kBos},
    .system = "<|im_start|>system\n{{content}}<|im_end|>\n",
    .user = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
    .assistant = "{{content}}<|im_end|>\n",
    .observation = "<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n"};
inline constexpr SlotSet kDeepseek3 = {.prefix = {kBos}, .user = "<｜User｜>{{content}}<｜Assistant｜>"};
inline constexpr SlotSet kGemma = {
    .prefix = {kBos},
    .system = "{{content}}\n\n",
    .user = "<start_of_turn>user\n{{content}}<end_of_turn>\n<start_of_turn>model\n",
    .assistant = "{{content}}<end_of_turn>\n",
    .observation = "<start_of_turn>tool\n{{content}}<end_of_turn>\n<start_of_turn>model\n"};
inline constexpr SlotSet kGemma4 = {.prefix = {kBos},
                                    .system = "<|turn>system\n<|think|>{{content}}<turn|>\n",
                                    .user = "<|turn>user\n{{content}}<turn|>\n<|turn>model\n",
                                    .assistant = "{{content}}<turn|>\n",
                                    .function = "<|tool>{{content}}<tool|>",
                                    .observation = "<|turn>tool\n{{content}}<turn|>\n<|turn>model\n",
                                    .tools = ToolFormat::kGemma4Tools};
inline constexpr SlotSet kGlm4 = {.prefix = "[gMASK]<sop>",
                                  .system = "<|system|>\n{{content}}",
                                  .user = "<|user|>\n{{content}}<|assistant|>",
                                  .assistant = "\n{{content}}",
                                  .function = "{{content}}",
                                  .observation = "<|observation|>\n{{content}}<|assistant|>",
                                  .tools = ToolFormat::kGlm4Tools};
inline constexpr SlotSet kGlm4Moe = {.prefix = "[gMASK]<sop>",
                                     .system = "<|system|>\n{{content}}",
                                     .user = "<|user|>\n{{content}}<|assistant|>",
                                     .assistant = "\n{{content}}",
                                     .function = "{{content}}",
                                     .observation = "<|observation|>\n{{content}}<|assistant|>",
                                     .tools = ToolFormat::kGlm4MoeTools};
inline constexpr SlotSet kIntern = {.prefix = {kBos},
                                    .system = "<|im_start|>system\n{{content}}<|im_end|>\n",
                                    .user = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
                                    .assistant = "{{content}}<|im_end|>\n"};
inline constexpr SlotSet kQwen = {
    .system = "<|im_start|>system\n{{content}}<|im_end|>\n",
    .user = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
    .assistant = "{{content}}<|im_end|>\n",
    .observation =
        "<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
    .tools = ToolFormat::kQwenTools};
inline constexpr SlotSet kKimi = {
    .system = "<|im_system|>system<|im_middle|>{{content}}<|im_end|>",
    .user = "<|im_user|>user<|im_middle|>{{content}}<|im_end|><|im_assistant|>assistant<|im_middle|>",
    .assistant = "{{content}}<|im_end|>"};
inline constexpr SlotSet kLfm2 = {
    .system = "<|im_start|>system\n{{content}}<|im_end|>\n",
    .user = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
    .assistant = "{{content}}<|im_end|>\n",
    .observation =
        "<|im_start|>tool\n<|tool_response_start|>{{content}}<|tool_response_end|><|im_end|>\n<|im_start|>assistant\n",
    .tools = ToolFormat::kLfm2Tools};
inline constexpr SlotSet kLlama2 = {.system = "<<SYS>>\n{{content}}\n<</SYS>>\n\n",
                                    .user = {kBos, "[INST] {{content}} [/INST]"}};
inline constexpr SlotSet kLlama3 = {.prefix = {kBos},
                                    .system = "<|start_header_id|>system<|end_header_id|>\n\n{{content}}<|eot_id|>",
                                    .user =
                                        "<|start_header_id|>user<|end_header_id|>\n\n{{content}}<|eot_id|><|start_"
                                        "header_id|>assistant<|end_header_id|>\n\n",
                                    .assistant = "{{content}}<|eot_id|>",
                                    .observation =
                                        "<|start_header_id|>ipython<|end_header_id|>\n\n{{content}}<|eot_id|><|start_"
                                        "header_id|>assistant<|end_header_id|>\n\n",
                                    .tools = ToolFormat::kLlama3Tools};
inline constexpr SlotSet kVicuna = {.user = "USER: {{content}} ASSISTANT:"};
inline constexpr SlotSet kMistral = {.prefix = {kBos},
                                     .system = "{{content}}\n\n",
                                     .user = "[INST] {{content}}[/INST]",
                                     .assistant = {" {{content}}", kEos},
                                     .function = {"[TOOL_CALLS] {{content}}", kEos},
                                     .observation = "[TOOL_RESULTS] {\"content\": {{content}}}[/TOOL_RESULTS]",
                                     .tools = ToolFormat::kMistralTools};
inline constexpr SlotSet kYi = {.system = "<|im_start|>system\n{{content}}<|im_end|>\n",
                                .user = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
                                .assistant = "{{content}}<|im_end|>\n"};
inline constexpr SlotSet kMinistral = {.prefix = {kBos},
                                       .system = "{{content}}\n\n",
                                       .user = "[INST]{{content}}[/INST]",
                                       .function = {"[TOOL_CALLS]{{content}}", kEos},
                                       .observation = "[TOOL_RESULTS]{\"content\": {{content}}}[/TOOL_RESULTS]",
                                       .tools = ToolFormat::kMistralTools};
inline constexpr SlotSet kQwen35 = {
    .system = "<|im_start|>system\n{{content}}<|im_end|>\n",
    .user = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
    .assistant = "{{content}}<|im_end|>\n",
    .observation =
        "<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
    .tools = ToolFormat::kQwen35Tools};

}  // namespace hearth::slot_sets
