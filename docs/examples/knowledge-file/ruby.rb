require 'json'
require 'net/http'

url = URI('https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/sources')
request = Net::HTTP::Post.new(url, 'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}")
request.set_form([['file', File.open('faq.md')]], 'multipart/form-data')
answer = Net::HTTP.start(url.host, url.port, use_ssl: url.scheme == 'https') do |http|
  http.request(request)
end
puts JSON.parse(answer.body).dig('data', 'id')
