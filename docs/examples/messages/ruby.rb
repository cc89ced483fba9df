require 'json'
require 'net/http'

url = URI('https://parley.example/api/v1/conversations/CONVERSATION_ID/messages')
query = { limit: 100 }
loop do
  url.query = URI.encode_www_form(query)
  answer = Net::HTTP.get(url, 'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}")
  page = JSON.parse(answer).fetch('data')
  page['messages'].each { |message| puts "#{message['role']}: #{message['text']}" }
  break if page['nextCursor'].nil?

  query[:cursor] = page['nextCursor']
end
