#include "server/responses/input_items.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "server/api_error.h"
#include "server/ids.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Find = std::function<std::optional<StoredItem>(const std::string& id)>;

constexpr size_t kMaxIdBytes = 256;

std::string read_id(const JsonReader& item, std::string_view prefix) {
  const JsonReader field = item["id"];
  if (!field) return random_id(prefix);
  std::string id = field.string();
  if (id.empty() || id.size() > kMaxIdBytes) field.fail(fmt::format("an id has 1 to {} bytes", kMaxIdBytes));
  return id;
}

Json output_text(const std::string& text) {
  return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
}

Json input_text(const std::string& text) { return {{"type", "input_text"}, {"text", text}}; }

// What its URL and its detail may be, the chat's message says.
Json read_image(const JsonReader& part) {
  const JsonReader url = part["image_url"], file = part["file_id"], detail = part["detail"];
  if (url && file) file.fail("not together with 'image_url'");
  Json image = {{"type", "input_image"}, {"detail", detail ? detail.string() : "auto"}};
  if (file)
    image["file_id"] = file.string();
  else
    image["image_url"] = part.required("image_url").string();
  return image;
}

Json read_part(const JsonReader& part, bool from_assistant) {
  const JsonReader type = part.required("type");
  const std::string name = type.string();
  if (from_assistant && name == "refusal") return {{"type", name}, {"refusal", part.required("refusal").string()}};
  if (from_assistant && (name == "output_text" || name == "input_text"))
    return output_text(part.required("text").string());
  if (!from_assistant && name == "input_text") return input_text(part.required("text").string());
  if (!from_assistant && name == "input_image") return read_image(part);
  if (name == "input_image" || name == "input_file" || name == "input_audio")
    throw unsupported_field(type.path(), fmt::format("'{}': models read text, and images of users and tools, not '{}' "
                                                     "parts here",
                                                     type.path(), name));
  type.fail(from_assistant ? fmt::format("'{}' is neither output_text nor refusal", name)
                           : fmt::format("'{}' is neither input_text nor input_image", name));
}

Json read_parts(const JsonReader& content, bool from_assistant) {
  Json parts = Json::array();
  for (const JsonReader& part : content.elements()) parts.push_back(read_part(part, from_assistant));
  return parts;
}

Json read_message(const JsonReader& item) {
  const JsonReader role_field = item.required("role"), content = item.required("content");
  const std::string role = role_field.string();
  constexpr std::string_view kRoles[] = {"user", "assistant", "system", "developer"};
  if (std::ranges::find(kRoles, role) == std::end(kRoles))
    role_field.fail(fmt::format("'{}' is no role; there are user, assistant, system and developer", role));
  const bool from_assistant = role == "assistant";
  Json message = {{"id", read_id(item, "msg_")}, {"type", "message"}, {"status", "completed"}, {"role", role}};
  if (content.is_string())
    message["content"] = Json::array({from_assistant ? output_text(content.string()) : input_text(content.string())});
  else if (content.is_array())
    message["content"] = read_parts(content, from_assistant);
  else
    content.fail_type("a string or an array of parts");
  return message;
}

Json read_call(const JsonReader& item) {
  return {{"id", read_id(item, "fc_")},
          {"type", "function_call"},
          {"status", "completed"},
          {"call_id", item.required("call_id").string()},
          {"name", item.required("name").string()},
          {"arguments", item.required("arguments").string()}};
}

Json read_call_output(const JsonReader& item) {
  const JsonReader output = item.required("output");
  if (!output.is_string() && !output.is_array()) output.fail_type("a string or an array of parts");
  return {{"id", read_id(item, "fco_")},
          {"type", "function_call_output"},
          {"status", "completed"},
          {"call_id", item.required("call_id").string()},
          {"output", output.is_string() ? Json(output.string()) : read_parts(output, false)}};
}

Json read_texts(const JsonReader& parts, std::string_view kind) {
  Json texts = Json::array();
  for (const JsonReader& part : parts.elements()) {
    const JsonReader type = part.required("type");
    if (type.string() != kind) type.fail(fmt::format("must be {}", kind));
    texts.push_back({{"type", kind}, {"text", part.required("text").string()}});
  }
  return texts;
}

Json read_reasoning(const JsonReader& item) {
  return {{"id", read_id(item, "rs_")},
          {"type", "reasoning"},
          {"summary", read_texts(item["summary"], "summary_text")},
          {"content", read_texts(item["content"], "reasoning_text")}};
}

StoredItem read_reference(const JsonReader& item, const Find& find) {
  const JsonReader id = item.required("id");
  std::optional<StoredItem> found = find(id.string());
  if (!found) id.fail(fmt::format("no item '{}' is stored; send the item itself", id.string().substr(0, 64)));
  return std::move(*found);
}

StoredItem read_item(const JsonReader& item, const Find& find) {
  if (!item.is_object()) item.fail_type("an object");
  const JsonReader type = item["type"];
  const std::string name = type ? type.string() : item["role"] || !item["id"] ? "message" : "item_reference";
  if (name == "message") return {read_message(item)};
  if (name == "function_call") return {read_call(item)};
  if (name == "function_call_output") return {read_call_output(item)};
  if (name == "reasoning") return {read_reasoning(item)};
  if (name == "item_reference") return read_reference(item, find);
  throw unsupported_field(type.path(), fmt::format("'{}': '{}' is none of message, function_call, "
                                                   "function_call_output, reasoning and item_reference",
                                                   type.path(), name));
}

std::string reasoning_text(const Json& item) {
  const Json& parts = item["content"].empty() ? item["summary"] : item["content"];
  std::string text;
  for (const Json& part : parts) {
    if (!text.empty()) text += '\n';
    text += part["text"].get_ref<const std::string&>();
  }
  return text;
}

Json chat_part(const Json& part) {
  if (part["type"] == "refusal") return part;
  if (part["type"] != "input_image") return {{"type", "text"}, {"text", part["text"]}};
  Json image = {{"detail", part["detail"]}};
  if (part.contains("file_id"))
    image["file_id"] = part["file_id"];
  else
    image["url"] = part["image_url"];
  return {{"type", "image_url"}, {"image_url", std::move(image)}};
}

// As the parts of a chat's message.
Json chat_content(const Json& parts) {
  Json content = Json::array();
  for (const Json& part : parts) content.push_back(chat_part(part));
  return content;
}

class Messages {
 public:
  explicit Messages(FieldNames& names) : names_(names) {}

  void add(Json message, const std::string& path) {
    end_turn();
    names_.add(fmt::format("messages[{}]", messages_.size()), path);
    messages_.push_back(std::move(message));
  }

  void add_item(const InputItem& input) {
    const Json& item = input.stored.item;
    const std::string& path = input.path;
    const std::string& type = item["type"].get_ref<const std::string&>();
    if (type == "reasoning")
      add_reasoning(item, path);
    else if (type == "function_call")
      add_call(item, path);
    else if (type == "function_call_output")
      add_call_output(input);
    else if (item["role"] == "assistant")
      add_answer(item, path);
    else
      add_said(input);
  }

  Json take() {
    end_turn();
    return std::move(messages_);
  }

 private:
  // The assistant's message that is being put together; none: null.
  Json& turn(const std::string& path) {
    if (turn_.is_null()) {
      turn_ = {{"role", "assistant"}, {"content", nullptr}};
      names_.add(name(), path);
    }
    return turn_;
  }
  std::string name() const { return fmt::format("messages[{}]", messages_.size()); }

  void end_turn() {
    if (!turn_.is_null() && (!turn_["content"].is_null() || turn_.contains("tool_calls")))
      messages_.push_back(std::move(turn_));
    turn_ = nullptr;
  }

  void add_reasoning(const Json& item, const std::string& path) {
    const std::string text = reasoning_text(item);
    if (!turn_.is_null() && (!turn_["content"].is_null() || turn_.contains("tool_calls"))) end_turn();
    if (text.empty()) return;
    Json& message = turn(path);
    message["reasoning_content"] =
        message.contains("reasoning_content") ? message["reasoning_content"].get<std::string>() + "\n" + text : text;
  }

  void add_answer(const Json& item, const std::string& path) {
    if (!turn_.is_null() && (!turn_["content"].is_null() || turn_.contains("tool_calls"))) end_turn();
    turn(path)["content"] = chat_content(item["content"]);
    names_.add(name() + ".content", path + ".content");
  }

  void add_call(const Json& item, const std::string& path) {
    Json& calls = turn(path)["tool_calls"];
    names_.add(fmt::format("{}.tool_calls[{}]", name(), calls.size()), path);
    names_.add(fmt::format("{}.tool_calls[{}].function", name(), calls.size()), path);
    calls.push_back({{"id", item["call_id"]},
                     {"type", "function"},
                     {"function", {{"name", item["name"]}, {"arguments", item["arguments"]}}}});
  }

  void add_said(const InputItem& input) {
    const Json& item = input.stored.item;
    add({{"role", item["role"]}, {"content", chat_content(item["content"])}}, input.path);
    name_images(item["content"], input, input.path + ".content");
  }

  // Those of the last message. Of an item that was stored before, the client has sent no more than what names it.
  void name_images(const Json& parts, const InputItem& input, const std::string& content) {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i]["type"] != "input_image") continue;
      const std::string part = fmt::format("messages[{}].content[{}]", messages_.size() - 1, i);
      const bool is_sent = input.stored.sequence == 0;
      const std::string original = fmt::format("{}[{}].", content, i);
      const auto add = [&](const char* translated, const char* name) {
        names_.add(part + translated, is_sent ? original + name : input.path);
      };
      add(".image_url.url", "image_url");
      add(".image_url.file_id", "file_id");
      add(".image_url.detail", "detail");
    }
  }

  void add_call_output(const InputItem& input) {
    const Json& item = input.stored.item;
    const std::string& path = input.path;
    const Json& output = item["output"];
    add({{"role", "tool"},
         {"tool_call_id", item["call_id"]},
         {"content", output.is_string() ? output : chat_content(output)}},
        path);
    const std::string message = fmt::format("messages[{}]", messages_.size() - 1);
    names_.add(message + ".tool_call_id", path + ".call_id");
    names_.add(message + ".content", path + ".output");
    if (output.is_array()) name_images(output, input, path + ".output");
  }

  FieldNames& names_;
  Json messages_ = Json::array();
  Json turn_;
};

}  // namespace

std::vector<InputItem> read_input_items(const JsonReader& input, const Find& find) {
  if (input.is_string()) {
    Json message = {{"id", random_id("msg_")},
                    {"type", "message"},
                    {"status", "completed"},
                    {"role", "user"},
                    {"content", Json::array({input_text(input.string())})}};
    return {{.stored = {std::move(message)}, .path = input.path()}};
  }
  if (!input.is_array()) input.fail_type("a string or an array of items");
  std::vector<InputItem> items;
  for (const JsonReader& item : input.elements()) items.push_back({read_item(item, find), item.path()});
  return items;
}

Json chat_messages(const std::vector<InputItem>& items, const std::string& instructions, FieldNames& names) {
  names.add("messages", "input");
  Messages messages(names);
  if (!instructions.empty()) messages.add({{"role", "system"}, {"content", instructions}}, "instructions");
  for (const InputItem& item : items) messages.add_item(item);
  return messages.take();
}

}  // namespace hearth
