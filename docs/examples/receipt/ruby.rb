require 'json'
require 'net/http'

answer = Net::HTTP.get(
  URI('https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID'),
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}"
)
puts JSON.parse(answer).dig('data', 'status')
