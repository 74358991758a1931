# frozen_string_literal: true

# Whoever has opened the page: known by a cookie, without a name or a password.
Guest = Struct.new(:id)
