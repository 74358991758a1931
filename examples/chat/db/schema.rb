# frozen_string_literal: true

ActiveRecord::Schema[7.1].define(version: 2026_11_25_000001) do
  create_table :messages do |t|
    t.string :session_id, null: false
    t.json :body, null: false
    t.datetime :created_at, null: false
    t.index %i[session_id id]
  end

  create_table :questions do |t|
    t.string :session_id, null: false
    t.string :request_id
    t.text :text, null: false
    t.datetime :created_at, null: false
    t.index :session_id
  end
end
