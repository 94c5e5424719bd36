// The functions behind the route table, by the file that holds them. Each parses, calls and replies; what they throw
// becomes the reply.
#pragma once

#include "server/http_types.h"

namespace hearth {

class App;

// models.cpp
Reply handle_list_models(const Request& request, App& app);
Reply handle_get_model(const Request& request, App& app);
Reply handle_delete_model(const Request& request, App& app);
// chat_completions.cpp
Reply handle_chat_completions(const Request& request, App& app);
// messages.cpp
Reply handle_messages(const Request& request, App& app);
Reply handle_count_message_tokens(const Request& request, App& app);
// stored_completions.cpp
Reply handle_list_completions(const Request& request, App& app);
Reply handle_get_completion(const Request& request, App& app);
Reply handle_completion_messages(const Request& request, App& app);
Reply handle_update_completion(const Request& request, App& app);
Reply handle_delete_completion(const Request& request, App& app);
// responses.cpp
Reply handle_create_response(const Request& request, App& app);
Reply handle_get_response(const Request& request, App& app);
Reply handle_cancel_response(const Request& request, App& app);
Reply handle_delete_response(const Request& request, App& app);
Reply handle_response_input_items(const Request& request, App& app);
// completions.cpp
Reply handle_completions(const Request& request, App& app);
// score_evaluation.cpp
Reply handle_score_evaluation(const Request& request, App& app);
// files.cpp
Reply handle_upload_file(const Request& request, BodyReader& body, App& app);
Reply handle_list_files(const Request& request, App& app);
Reply handle_get_file(const Request& request, App& app);
Reply handle_file_content(const Request& request, App& app);
Reply handle_delete_file(const Request& request, App& app);
// datasets.cpp
Reply handle_list_datasets(const Request& request, App& app);
Reply handle_create_dataset(const Request& request, App& app);
Reply handle_delete_dataset(const Request& request, App& app);
Reply handle_preview(const Request& request, App& app);
// jobs.cpp
Reply handle_create_job(const Request& request, App& app);
Reply handle_list_jobs(const Request& request, App& app);
Reply handle_get_job(const Request& request, App& app);
Reply handle_cancel_job(const Request& request, App& app);
Reply handle_pause_job(const Request& request, App& app);
Reply handle_resume_job(const Request& request, App& app);
Reply handle_job_events(const Request& request, App& app);
Reply handle_job_log(const Request& request, App& app);
// job_files.cpp
Reply handle_list_job_files(const Request& request, App& app);
Reply handle_job_file_content(const Request& request, App& app);
Reply handle_job_archive(const Request& request, App& app);
// pulls.cpp
Reply handle_start_pull(const Request& request, App& app);
Reply handle_list_pulls(const Request& request, App& app);
Reply handle_cancel_pull(const Request& request, App& app);
// fine_tuning.cpp
Reply handle_create_fine_tuning_job(const Request& request, App& app);
Reply handle_list_fine_tuning_jobs(const Request& request, App& app);
Reply handle_get_fine_tuning_job(const Request& request, App& app);
Reply handle_cancel_fine_tuning_job(const Request& request, App& app);
Reply handle_pause_fine_tuning_job(const Request& request, App& app);
Reply handle_resume_fine_tuning_job(const Request& request, App& app);
Reply handle_fine_tuning_events(const Request& request, App& app);
Reply handle_fine_tuning_checkpoints(const Request& request, App& app);
// text.cpp
Reply handle_list_templates(const Request& request, App& app);
Reply handle_tokenizer_info(const Request& request, App& app);
Reply handle_tokenize(const Request& request, App& app);
Reply handle_detokenize(const Request& request, App& app);
Reply handle_apply_template(const Request& request, App& app);
// web.cpp
Reply handle_index(const Request& request, App& app);
Reply handle_web_file(const Request& request, App& app);
// status.cpp
Reply handle_health(const Request& request, App& app);
Reply handle_ready(const Request& request, App& app);
Reply handle_openapi(const Request& request, App& app);
Reply handle_metrics(const Request& request, App& app);

}  // namespace hearth
