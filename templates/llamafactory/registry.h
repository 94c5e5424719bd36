// The 124 templates of LLaMA-Factory by name, in its order. Source: LLaMA-Factory 0.9.6.dev0, data/template.py.
#pragma once

#include <span>

#include "templates/llamafactory/slots.h"

namespace hearth {

std::span<const TemplateRow> template_rows();

}  // namespace hearth
