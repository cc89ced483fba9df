<?php

$request = curl_init('https://parley.example/api/v1/chatbots/CHATBOT_ID/knowledge-bases');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_CUSTOMREQUEST => 'PUT',
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode(['knowledgeBaseIds' => ['KNOWLEDGE_BASE_ID']]),
]);
$answer = json_decode(curl_exec($request), true);
foreach ($answer['data']['knowledgeBases'] as $base) {
    echo $base['name'], "\n";
}
