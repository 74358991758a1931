/*
 * The one place that raises for the core. The classes are Ruby's (lib/raaf/errors.rb), looked up by
 * name when they are needed, so that the order of loading does not matter.
 */
#include "rb_raaf.h"

#include "core/result_code.h"

#include <errno.h>
#include <string.h>

static const char *class_for(int code) {
    switch (code) {
    case RAAF_INVALID_REQUEST:
        return "InvalidRequestError";
    case RAAF_CANCELLED:
    case RAAF_SHUTDOWN:
        return "CancelledError";
    case RAAF_SYSTEM:
        return "Error";
    default:
        return "ProtocolError";
    }
}

static VALUE find_class(const char *name) {
    VALUE errors = rb_const_get(mRAAF, rb_intern("Errors"));
    return rb_const_get(errors, rb_intern(name));
}

void rb_raaf_raise(const char *name, const char *message) {
    rb_raise(find_class(name), "%s", message);
}

void rb_raaf_raise_code(int code, const char *detail) {
    if (code == RAAF_NO_MEMORY) rb_raise(rb_eNoMemError, "%s", raaf_result_code_text(code));
    if (code == RAAF_SYSTEM)
        rb_raise(find_class("Error"), "%s: %s (%s)", detail, raaf_result_code_text(code),
                 strerror(errno));
    rb_raise(find_class(class_for(code)), "%s: %s", detail, raaf_result_code_text(code));
}
