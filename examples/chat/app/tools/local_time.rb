# frozen_string_literal: true

# Tells the model what time it is, which it cannot know.
module LocalTime
  def self.in(city)
    name = city.to_s.strip
    zone = ActiveSupport::TimeZone.all.find { |one| one.name.casecmp?(name) || one.tzinfo.name.split("/").last.tr("_", " ").casecmp?(name) }
    raise ArgumentError, "no time zone is known for #{name.inspect}" unless zone

    zone.now.strftime("%H:%M on %A, %-d %B %Y")
  end
end
