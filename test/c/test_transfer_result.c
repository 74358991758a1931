#include "check.h"
#include "result_code.h"
#include "transfer_result.h"

typedef struct expectation {
    CURLcode code;
    int before; /* the connection was made */
    int after;
} expectation_t;

static const expectation_t table[] = {
    {CURLE_OK, RAAF_OK, RAAF_OK},
    {CURLE_OUT_OF_MEMORY, RAAF_NO_MEMORY, RAAF_NO_MEMORY},
    {CURLE_URL_MALFORMAT, RAAF_INVALID_REQUEST, RAAF_INVALID_REQUEST},
    {CURLE_UNSUPPORTED_PROTOCOL, RAAF_INVALID_REQUEST, RAAF_HTTP_PROTOCOL},
    {CURLE_COULDNT_RESOLVE_HOST, RAAF_RESOLVE_FAILED, RAAF_RESOLVE_FAILED},
    {CURLE_COULDNT_RESOLVE_PROXY, RAAF_RESOLVE_FAILED, RAAF_RESOLVE_FAILED},
    {CURLE_COULDNT_CONNECT, RAAF_CONNECT_FAILED, RAAF_CONNECT_FAILED},
    {CURLE_PROXY, RAAF_CONNECT_FAILED, RAAF_CONNECT_FAILED},
    {CURLE_OPERATION_TIMEDOUT, RAAF_CONNECT_TIMEOUT, RAAF_CONNECTION_LOST},
    {CURLE_WEIRD_SERVER_REPLY, RAAF_HTTP_PROTOCOL, RAAF_HTTP_PROTOCOL},
    {CURLE_BAD_CONTENT_ENCODING, RAAF_HTTP_PROTOCOL, RAAF_HTTP_PROTOCOL},
    {CURLE_GOT_NOTHING, RAAF_CONNECT_FAILED, RAAF_CONNECTION_LOST},
    {CURLE_SEND_ERROR, RAAF_CONNECT_FAILED, RAAF_CONNECTION_LOST},
    {CURLE_RECV_ERROR, RAAF_CONNECT_FAILED, RAAF_CONNECTION_LOST},
    {CURLE_PARTIAL_FILE, RAAF_CONNECT_FAILED, RAAF_CONNECTION_LOST},
    {CURLE_SSL_CONNECT_ERROR, RAAF_TLS_FAILED, RAAF_TLS_FAILED},
    {CURLE_PEER_FAILED_VERIFICATION, RAAF_TLS_FAILED, RAAF_TLS_FAILED},
    {CURLE_SSL_CACERT_BADFILE, RAAF_TLS_FAILED, RAAF_TLS_FAILED},
    {CURLE_SSL_CIPHER, RAAF_TLS_FAILED, RAAF_TLS_FAILED},
};

TEST(every_end_has_its_result) {
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CHECK_EQ_INT(raaf_transfer_result(table[i].code, false, ""), table[i].before);
        CHECK_EQ_INT(raaf_transfer_result(table[i].code, true, ""), table[i].after);
    }
}

TEST(only_success_is_success) {
    for (int code = 1; code < CURL_LAST; code++) {
        CHECK(raaf_transfer_result((CURLcode)code, false, "") < 0);
        CHECK(raaf_transfer_result((CURLcode)code, true, "") < 0);
    }
}

/* What libcurl 7.88 and 8.x say with OpenSSL 1.1 and 3.x, and LibreSSL. */
TEST(handshake_that_was_cut_off_is_a_lost_connection) {
    static const char *const cut[] = {
        "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to provider.example:443 ",
        "OpenSSL SSL_connect: Connection reset by peer in connection to provider.example:443 ",
        "error:0A000126:SSL routines::unexpected eof while reading",
        "TLS connect error: error:0A000126:SSL routines::unexpected eof while reading",
        "LibreSSL SSL_connect: SSL_ERROR_SYSCALL in connection to provider.example:443",
    };

    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        CHECK_EQ_INT(raaf_transfer_result(CURLE_SSL_CONNECT_ERROR, false, cut[i]),
                     RAAF_CONNECTION_LOST);
        CHECK_EQ_INT(raaf_transfer_result(CURLE_PEER_FAILED_VERIFICATION, false, cut[i]),
                     RAAF_TLS_FAILED);
    }
    CHECK_EQ_INT(raaf_transfer_result(CURLE_SSL_CONNECT_ERROR, false,
                                      "error:0A00010B:SSL routines::wrong version number"),
                 RAAF_TLS_FAILED);
}
