require 'json'
require 'net/http'

url = URI('https://parley.example/api/v1/chatbots/CHATBOT_ID/knowledge-bases')
request = Net::HTTP::Put.new(
  url,
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
  'Content-Type' => 'application/json'
)
request.body = { knowledgeBaseIds: ['KNOWLEDGE_BASE_ID'] }.to_json
answer = Net::HTTP.start(url.host, url.port, use_ssl: url.scheme == 'https') do |http|
  http.request(request)
end
JSON.parse(answer.body)['data']['knowledgeBases'].each { |base| puts base['name'] }
