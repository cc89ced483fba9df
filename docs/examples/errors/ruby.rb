require 'json'
require 'net/http'

answer = Net::HTTP.post(
  URI('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat'),
  { message: '' }.to_json,
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
  'Content-Type' => 'application/json'
)
body = JSON.parse(answer.body)
unless body['success']
  puts "#{body['code']} #{body['error']}"
  puts answer['X-Request-Id']
end
