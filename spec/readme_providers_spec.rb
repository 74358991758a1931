# frozen_string_literal: true

# README's table of providers, row by row: against the classes, and against answers and questions that go through.
RSpec.describe "README's table of providers" do
  include ProviderChecks

  readme = File.read(File.expand_path("../README.md", __dir__))
  head, _, *lines = readme[/^### Providers\n(.*?)^### /m, 1].lines.grep(/^\|/)
    .map { |line| line.strip[1..-2].split("|").map(&:strip) }
  capabilities = head.drop(4).map { |title| title.tr(" ", "_").to_sym }

  # One row: the class, the key's variables, names of models, and what is said of each capability.
  rows = lines.map do |cells|
    name, keys, models = cells.values_at(0, 2, 3).map { |cell| cell.scan(/`([^`]+)`/).flatten }
    {name: name.first, keys: keys, models: models, said: capabilities.zip(cells.drop(4)).to_h}
  end

  it "speaks of every capability that there is" do
    expect(capabilities).to match_array(ProviderChecks.public_instance_methods(false)
      .map { |name| name.to_s.delete_suffix("_through?").to_sym })
  end

  it "has a row for every provider, and one only" do
    here = RAAF::Models.constants.map { |name| RAAF::Models.const_get(name) }
      .select { |value| value.is_a?(Class) && value.superclass.name.to_s.start_with?("RAAF::Streaming::Providers::") }
    expect(rows.map { |row| row[:name] }).to match_array(here.map { |provider| provider.name.split("::").last })
  end

  it "names every prefix of models that has a provider" do
    known = RAAF::Models::PREFIXES.select { |_, name| RAAF::Streaming::Providers.const_defined?(name) }.keys
    shown = rows.flat_map { |row| row[:models] }.grep(%r{/})
    expect(shown.map { |name| name.delete_suffix("/…") }).to match_array(known)
  end

  rows.each do |row|
    describe row[:name] do
      let(:provider) { RAAF::Models.const_get(row[:name], false) }

      it "reads its key where the table says" do
        expect(provider.ancestors).to include(RAAF::Models::HTTPProvider)
        expect(provider::KEY_VARIABLES).to eq(row[:keys])
      end

      it "answers for the names that the table shows" do
        row[:models].each { |name| expect(RAAF::Models.for_model(name.sub("…", "x"))).to be_a(provider) }
      end

      it "declares what the table says, and nothing else" do
        expect(row[:said].values.uniq - %w[yes –]).to be_empty
        expect(provider::CAPABILITIES).to match_array(row[:said].select { |_, word| word == "yes" }.keys)
      end

      row[:said].each do |capability, word|
        next unless word == "yes"

        it "lets #{capability.to_s.tr("_", " ")} through" do
          expect(public_send(:"#{capability}_through?", provider)).to be(true)
        end
      end
    end
  end
end
