/*
 * What an end of a transfer means for its stream: libcurl's codes in our terms.
 */
#include "transfer_result.h"

#include "result_code.h"

#include <string.h>

/*
 * A handshake that the other side cut off has the code of one that failed. OpenSSL's words tell
 * them apart: "SSL_ERROR_SYSCALL" and errno's text come from libcurl's vtls/openssl.c, "unexpected
 * eof" is OpenSSL's own since 3.0.
 */
static bool handshake_cut(CURLcode code, const char *detail) {
    return code == CURLE_SSL_CONNECT_ERROR &&
           (strstr(detail, "SSL_ERROR_SYSCALL") || strstr(detail, "unexpected eof") ||
            strstr(detail, "reset by peer"));
}

static int tls_code(CURLcode code) {
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return RAAF_TLS_FAILED;
    default:
        return RAAF_OK;
    }
}

int raaf_transfer_result(CURLcode code, bool connected, const char *detail) {
    if (handshake_cut(code, detail)) return RAAF_CONNECTION_LOST;
    if (tls_code(code) != RAAF_OK) return tls_code(code);
    switch (code) {
    case CURLE_OK:
        return RAAF_OK;
    case CURLE_OUT_OF_MEMORY:
        return RAAF_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
        return RAAF_INVALID_REQUEST;
    case CURLE_UNSUPPORTED_PROTOCOL:
        /* Also what libcurl says of a reply that does not begin like HTTP. */
        return connected ? RAAF_HTTP_PROTOCOL : RAAF_INVALID_REQUEST;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return RAAF_RESOLVE_FAILED;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return RAAF_CONNECT_FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        return connected ? RAAF_CONNECTION_LOST : RAAF_CONNECT_TIMEOUT;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return RAAF_HTTP_PROTOCOL;
    default:
        return connected ? RAAF_CONNECTION_LOST : RAAF_CONNECT_FAILED;
    }
}
