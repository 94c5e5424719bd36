// What libhearth_arrow.so offers, in C: it is loaded at run time, and no exception and no C++ type crosses its border.
// A row crosses it as the text of a JSON object.
#pragma once

#include <cstddef>

extern "C" {

struct HearthArrowReader;

// A message of a failure.
struct HearthArrowError {
  char text[512];
};

// Null on failure.
HearthArrowReader* hearth_arrow_open(const char* path, bool is_parquet, HearthArrowError* error);
// 1: a row, whose text lives until the next call; 0: the end; -1: failure, after which there is nothing more.
int hearth_arrow_next(HearthArrowReader* reader, const char** text, size_t* size, HearthArrowError* error);
void hearth_arrow_close(HearthArrowReader* reader);
}
