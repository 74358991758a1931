# frozen_string_literal: true

pin "@rails/actioncable", to: "actioncable.esm.js"
pin "consumer"
pin "conversation"
pin "chat"
