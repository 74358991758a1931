/*
 * What an end of a transfer means for its stream: libcurl's codes in our terms.
 */
#ifndef RAAF_TRANSFER_RESULT_H
#define RAAF_TRANSFER_RESULT_H

#include <curl/curl.h>
#include <stdbool.h>

/*
 * The result code for how libcurl ended, as far as no response says more; [connected]: the
 * connection had been made; [detail]: libcurl's own words, or "". RAAF_OK: it ended as it should.
 */
int raaf_transfer_result(CURLcode code, bool connected, const char *detail);

#endif
