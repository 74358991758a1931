# frozen_string_literal: true

# Run inside the application: Action Cable's own test helpers make the requests.
RSpec.describe ApplicationCable::Connection, type: :channel do
  let(:user) { create(:user) }

  it "finds the user that session[:user_id] names" do
    connect "/cable", session: {user_id: user.id}
    expect(connection.current_user).to eq(user)
  end

  it "finds the user of Devise, who comes first" do
    other = create(:user)
    connect "/cable", session: {user_id: user.id}, env: {"warden" => Struct.new(:user).new(other)}
    expect(connection.current_user).to eq(other)
  end

  it "finds the user of Rails' own authentication" do
    session = Struct.new(:user).new(user)
    stub_const("Session", Class.new { define_singleton_method(:find_by) { |id:| session if id == 7 } })
    cookies.signed[:session_id] = 7
    connect "/cable"
    expect(connection.current_user).to eq(user)
  end

  it "finds whom the application's own find_user finds" do
    found = user
    own = Class.new(described_class) { define_method(:find_user) { found if request.params[:token] == "right" } }
    allow(self.class).to receive(:connection_class).and_return(own)
    connect "/cable?token=right"
    expect(connection.current_user).to eq(user)
    expect { connect "/cable?token=wrong" }.to have_rejected_connection
  end

  it "turns away who is nobody, or nobody any longer" do
    gone = create(:user).tap(&:destroy)
    expect { connect "/cable" }.to have_rejected_connection
    expect { connect "/cable", session: {user_id: gone.id} }.to have_rejected_connection
  end
end
